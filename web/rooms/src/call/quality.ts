/** How well a connection does, from two looks at its statistics. */

export type Quality = "unknown" | "good" | "fair" | "poor" | "lost";

/** Sums since the connection was made. */
export interface Sample {
  packets: number;
  lost: number;
  /** Seconds; undefined: not measured yet. */
  roundTrip: number | undefined;
  bytes: number;
  /** Milliseconds of any one clock. */
  at: number;
}

export interface Grade {
  quality: Quality;
  /** Share of packets that did not come, 0 to 1. */
  loss: number;
  roundTrip: number | undefined;
  /** bits/s received */
  rate: number;
}

export const UNKNOWN: Grade = { quality: "unknown", loss: 0, roundTrip: undefined, rate: 0 };

// ITU-T G.114: beyond 150 ms one way a talk suffers, beyond 400 ms it breaks. Round trips are twice that.
const FAIR_ROUND_TRIP = 0.3;
const POOR_ROUND_TRIP = 0.8;
// Opus hides 2 % of loss and suffers at 8 %.
const FAIR_LOSS = 0.02;
const POOR_LOSS = 0.08;

export function grade(before: Sample, now: Sample): Grade {
  const lost = Math.max(0, now.lost - before.lost);
  const packets = Math.max(0, now.packets - before.packets);
  const loss = lost + packets > 0 ? lost / (lost + packets) : 0;
  const elapsed = Math.max(1, now.at - before.at);
  const rate = (Math.max(0, now.bytes - before.bytes) * 8_000) / elapsed;
  const trip = now.roundTrip ?? 0;
  const quality = loss > POOR_LOSS || trip > POOR_ROUND_TRIP ? "poor" : loss > FAIR_LOSS || trip > FAIR_ROUND_TRIP ? "fair" : "good";
  return { quality, loss, roundTrip: now.roundTrip, rate };
}

/** One sample out of a connection's statistics. */
export function sample(report: Iterable<Record<string, unknown>>, at: number): Sample {
  const sum: Sample = { packets: 0, lost: 0, roundTrip: undefined, bytes: 0, at };
  for (const stat of report) {
    if (stat.type === "inbound-rtp") {
      sum.packets += number(stat.packetsReceived);
      sum.lost += Math.max(0, number(stat.packetsLost));
      sum.bytes += number(stat.bytesReceived);
    } else if (stat.type === "candidate-pair" && stat.nominated === true && typeof stat.currentRoundTripTime === "number") {
      sum.roundTrip = stat.currentRoundTripTime;
    }
  }
  return sum;
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
