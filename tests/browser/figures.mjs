// Figures that the limits compare: a comparison with a missing value is false, and so a limit would
// never be missed.

/**
 * Returns `figures`, an object of finite numbers. Throws an error that names each one that is not a
 * finite number.
 */
export function finite(figures) {
  const wrong = Object.entries(figures).filter(([, value]) => !Number.isFinite(value));
  if (wrong.length > 0) {
    throw new Error(`not measured: ${wrong.map(([name, value]) => `${name} is ${value}`).join(", ")}`);
  }
  return figures;
}
