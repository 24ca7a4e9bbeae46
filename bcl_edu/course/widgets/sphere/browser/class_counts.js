// How many points each class has on the sphere: the exponential profile, rounded, with at least one point a class.

/** Points when the classes are balanced, at most; fewer where a class would have more than LARGEST_CLASS. */
export const MOST_POINTS = 400;
const LARGEST_CLASS = 100;

/** Points of the most frequent class, whatever the imbalance; also the largest imbalance factor. */
export function largestClass(numClasses) {
  return Math.min(LARGEST_CLASS, Math.floor(MOST_POINTS / numClasses));
}

/** n_k = round(n_max IF^(-k / (K - 1))), at least 1, shape (K,). */
export function trainingCounts(imbalanceFactor, numClasses) {
  const largest = largestClass(numClasses);
  return Array.from({ length: numClasses }, (_, k) =>
    Math.max(1, Math.round(largest * Math.pow(imbalanceFactor, -k / (numClasses - 1)))));
}
