// How many training images each class has: the exponential profile, n_k = n_max IF^(-k / (K - 1)).

/** Images of the most frequent class (as in CIFAR-10). */
export const LARGEST_CLASS = 5000;

/**
 * The profile without its floor: it has no jumps, which suits a slider. For full batches.
 * @returns {Float64Array} images of each class, shape (K,)
 */
export function smoothCounts(imbalanceFactor, numClasses) {
  return Float64Array.from({ length: numClasses }, (_, k) =>
    LARGEST_CLASS * Math.pow(imbalanceFactor, -k / (numClasses - 1)));
}

/**
 * The profile in whole images, n_k = floor(n_max IF^(-k / (K - 1))), exact as in bcl_edu.data.
 * @returns {Float64Array} images of each class, shape (K,)
 */
export function wholeCounts(imbalanceFactor, numClasses) {
  return smoothCounts(imbalanceFactor, numClasses).map((value, k) => {
    const nearest = Math.round(value);
    if (Math.abs(value - nearest) > 1e-9 * value) return Math.floor(value);
    // too close to a whole number to trust rounding: n <= value  <=>  n^(K-1) IF^k <= n_max^(K-1), in whole numbers
    const [whole, fraction = ""] = String(imbalanceFactor).split(".");
    const numerator = BigInt(whole + fraction);
    const denominator = 10n ** BigInt(fraction.length);
    const power = BigInt(numClasses - 1);
    const left = BigInt(nearest) ** power * numerator ** BigInt(k);
    const right = BigInt(LARGEST_CLASS) ** power * denominator ** BigInt(k);
    return left <= right ? nearest : nearest - 1;
  });
}
