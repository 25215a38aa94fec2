// The scripts of pages: plain browser JavaScript, which never turns text into markup or code.
const browser = ["document", "window", "matchMedia", "getComputedStyle", "navigator", "DecompressionStream",
  "Blob", "Response", "Intl", "L", "geodesic", "setTimeout", "clearTimeout", "requestAnimationFrame",
  "ResizeObserver", "TextDecoder", "atob", "URL", "Event", "Uint8Array"];

export default [{
  languageOptions: {
    ecmaVersion: 2022,
    sourceType: "script",
    globals: Object.fromEntries(browser.map(name => [name, "readonly"])),
  },
  rules: {
    "no-undef": "error",
    "no-unused-vars": "error",
    "no-redeclare": "error",
    "no-eval": "error",
    "no-implied-eval": "error",
    "no-new-func": "error",
    "no-script-url": "error",
    "eqeqeq": "error",
    "prefer-const": "error",
    "no-var": "error",
    "no-restricted-properties": ["error", ...["innerHTML", "outerHTML", "insertAdjacentHTML", "write",
      "localStorage", "sessionStorage", "cookie"].map(property => ({ property }))],
    "no-restricted-globals": ["error", "fetch", "XMLHttpRequest", "WebSocket", "localStorage"],
  },
}];
