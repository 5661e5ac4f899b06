/** How well a connection does, from two looks at its statistics. */

export type Quality = "unknown" | "good" | "fair" | "poor" | "lost";

/** Sums since the connection was made. */
export interface Sample {
  packets: number;
  lost: number;
  /** What the other side says it misses of ours, since its last word: 0 to 1. */
  missed: number;
  /** Seconds; undefined: not measured yet. */
  roundTrip: number | undefined;
  bytes: number;
  /** Milliseconds of any one clock. */
  at: number;
}

export interface Grade {
  quality: Quality;
  /** Share of packets that did not come, 0 to 1; of the worse direction. */
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
  const loss = Math.max(now.missed, lost + packets > 0 ? lost / (lost + packets) : 0);
  const elapsed = Math.max(1, now.at - before.at);
  const rate = (Math.max(0, now.bytes - before.bytes) * 8_000) / elapsed;
  const trip = now.roundTrip ?? 0;
  const quality = loss > POOR_LOSS || trip > POOR_ROUND_TRIP ? "poor" : loss > FAIR_LOSS || trip > FAIR_ROUND_TRIP ? "fair" : "good";
  return { quality, loss, roundTrip: now.roundTrip, rate };
}

/** One sample out of a connection's statistics. */
export function sample(report: Iterable<Record<string, unknown>>, at: number): Sample {
  const sum: Sample = { packets: 0, lost: 0, missed: 0, roundTrip: undefined, bytes: 0, at };
  const stats = [...report];
  const transport = stats.find((stat) => stat.type === "transport" && typeof stat.selectedCandidatePairId === "string");
  let reported: number | undefined;
  for (const stat of stats) {
    if (stat.type === "inbound-rtp") {
      sum.packets += number(stat.packetsReceived);
      sum.lost += Math.max(0, number(stat.packetsLost));
      sum.bytes += number(stat.bytesReceived);
    } else if (stat.type === "remote-inbound-rtp") {
      sum.missed = Math.max(sum.missed, Math.min(1, number(stat.fractionLost)));
      if (typeof stat.roundTripTime === "number") reported = Math.max(reported ?? 0, stat.roundTripTime);
    } else if (stat.type === "candidate-pair" && typeof stat.currentRoundTripTime === "number" && inUse(stat, transport)) {
      sum.roundTrip = stat.currentRoundTripTime;
    }
  }
  // Firefox measures by RTCP alone.
  sum.roundTrip ??= reported;
  return sum;
}

/** After a new way was found the old pairs are listed still, with what they measured last. */
function inUse(pair: Record<string, unknown>, transport: Record<string, unknown> | undefined): boolean {
  if (transport) return pair.id === transport.selectedCandidatePairId;
  return pair.selected === true || (pair.selected === undefined && pair.nominated === true && pair.state !== "failed");
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}
