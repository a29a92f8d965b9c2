// Bundles the extension into one file: an extension that is one file starts faster and ships no
// node_modules. `vscode` stays outside, because the editor provides it.
import { context } from "esbuild";

const watch = process.argv.includes("--watch");
const bundle = await context({
  entryPoints: ["client-vscode/src/extension.ts"],
  outfile: "client-vscode/out/extension.js",
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  external: ["vscode"],
  minify: !watch,
  sourcemap: watch,
  logLevel: "warning",
});
if (watch) {
  await bundle.watch();
} else {
  await bundle.rebuild();
  await bundle.dispose();
}
