/** How much of our picture each of so many others gets: a mesh sends it to each, from one upload and one processor. */

export interface Budget {
  /** bits/s */
  maxBitrate: number;
  scaleResolutionDownBy: number;
  maxFramerate: number;
}

// Of 1280 by 720. Together they stay below 4 Mbit/s up to ten others, which a home's upload can bear.
const STEPS: readonly (Budget & { others: number })[] = [
  { others: 1, maxBitrate: 2_500_000, scaleResolutionDownBy: 1, maxFramerate: 30 },
  { others: 2, maxBitrate: 1_500_000, scaleResolutionDownBy: 1, maxFramerate: 30 },
  { others: 4, maxBitrate: 800_000, scaleResolutionDownBy: 1.5, maxFramerate: 30 },
  { others: 7, maxBitrate: 450_000, scaleResolutionDownBy: 2, maxFramerate: 24 },
];
const SMALLEST: Budget = { maxBitrate: 250_000, scaleResolutionDownBy: 4, maxFramerate: 15 };

export function budget(others: number): Budget {
  const { maxBitrate, scaleResolutionDownBy, maxFramerate } = STEPS.find((step) => others <= step.others) ?? SMALLEST;
  return { maxBitrate, scaleResolutionDownBy, maxFramerate };
}
