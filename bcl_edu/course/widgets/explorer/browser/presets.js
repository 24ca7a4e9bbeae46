// Four settings that tell the story, and what to look at in each.

const PAPER = { imbalanceFactor: 100, temperature: 0.5, numClasses: 4, batchSize: 0 };

export const PRESETS = [
  {
    name: "The bend",
    settings: { ...PAPER, losses: ["scl", "bcl"] },
    look: "Under both losses of the paper the rare classes crowd together, though both were minimised completely.",
  },
  {
    name: "The repair",
    settings: { ...PAPER, losses: ["scl", "bcl-class-anchors"] },
    look: "Average the anchors over classes as well, and no imbalance bends the simplex. Slide and see.",
  },
  {
    name: "The merge",
    settings: { ...PAPER, imbalanceFactor: 1000, temperature: 1, losses: ["scl", "bcl"] },
    look: "A long tail at a high temperature: under BCL the rare classes all but fall into one point.",
  },
  {
    name: "Low τ",
    settings: { ...PAPER, temperature: 0.1, losses: ["scl", "bcl"] },
    look: "At a low temperature the nearest classes dominate the sum, and hardly anything bends.",
  },
];

/** Where the explorer opens. */
export const START = PRESETS[1].settings;

/** The preset that has these settings; none: undefined. */
export function presetOf(settings) {
  return PRESETS.find((preset) =>
    Object.entries(preset.settings).every(([name, value]) => String(settings[name]) === String(value)));
}
