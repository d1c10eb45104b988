export function isNothing(number) {
  return Number.isNaN(number);
}
