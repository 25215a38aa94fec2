// Runs tests/pyodide_answers.py in Pyodide: node run_pyodide.mjs KETAFIND.whl [WHEEL...]
// With other wheels (numpy, pandas and what they need, of this Pyodide), nothing is fetched.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const [own, ...others] = process.argv.slice(2);
const pyodide = await loadPyodide();
const put = (path) => {
  const name = `/tmp/${path.split("/").at(-1)}`;
  pyodide.FS.writeFile(name, new Uint8Array(readFileSync(path)));
  return name;
};
if (others.length) {
  pyodide.runPython("import sysconfig, zipfile");
  for (const wheel of [...others, own]) {
    pyodide.runPython(`zipfile.ZipFile("${put(wheel)}").extractall(sysconfig.get_path("purelib"))`);
  }
} else {
  await pyodide.loadPackage(["micropip", "sqlite3"]);
  await pyodide.runPythonAsync(`import micropip; await micropip.install("emfs:${put(own)}")`);
}
await pyodide.runPythonAsync(readFileSync(new URL("../pyodide_answers.py", import.meta.url), "utf8"));
