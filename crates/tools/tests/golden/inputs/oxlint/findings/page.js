import fs from "fs";
const table = { a: 1, a: 2 };
export function show(element, name, key) {
  element.innerHTML = "Hello " + name;
  const unused = 1;
  if (name === NaN) {
    return eval(name);
  }
  // eslint-disable-next-line
  element.outerHTML = name;
  return table[key] || new RegExp(name) || fs.readFileSync(name);
}
