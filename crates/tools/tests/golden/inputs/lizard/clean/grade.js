function grade(a) {
  return a ? 1 : 0;
}
