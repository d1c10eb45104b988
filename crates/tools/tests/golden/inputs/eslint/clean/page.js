export function greet(element, name) {
  element.textContent = "Hello " + name;
}
