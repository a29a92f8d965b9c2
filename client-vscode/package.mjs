// Writes build/transformers-ls.vsix. What goes into it is copied to a folder of its own first: the
// packager looks at every file below its folder, and the repository's has tens of thousands.
import { cp, mkdir, rm } from "node:fs/promises";
import { createVSIX } from "@vscode/vsce";

const FILES = [
  "package.json",
  "README.md",
  "CHANGELOG.md",
  "LICENSE",
  "client-vscode/out/extension.js",
];
const STAGE = "build/extension";

await rm(STAGE, { recursive: true, force: true });
await mkdir(STAGE, { recursive: true });
for (const file of FILES) {
  await cp(file, `${STAGE}/${file}`);
}
await createVSIX({
  cwd: STAGE,
  packagePath: "build/transformers-ls.vsix",
  dependencies: false,
  allowMissingRepository: true,
  // The links of the README are for the repository, whose address the package does not know.
  rewriteRelativeLinks: false,
});
await rm(STAGE, { recursive: true });
