module.exports = (number) => number * 2;
