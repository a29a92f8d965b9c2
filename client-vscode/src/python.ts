/** The Python extension's choice of interpreter, where that extension is installed. */
import { Disposable, type Event, extensions } from "vscode";

// The part of ms-python.python's public API that is used here. A dependency on its types package
// would bring a runtime that this extension has no other use for.
interface PythonApi {
  readonly environments: {
    getActiveEnvironmentPath(): { readonly path: string };
    readonly onDidChangeActiveEnvironmentPath: Event<unknown>;
    resolveEnvironment(path: {
      readonly path: string;
    }): Promise<
      { readonly executable: { readonly uri?: { readonly fsPath: string } } } | undefined
    >;
  };
}

async function api(): Promise<PythonApi | undefined> {
  const extension = extensions.getExtension<PythonApi>("ms-python.python");
  if (extension === undefined) {
    return undefined;
  }
  return extension.isActive ? extension.exports : extension.activate();
}

/** The interpreter that is chosen in the Python extension, if there is such a thing. */
export async function activeInterpreter(): Promise<string | undefined> {
  const environments = (await api())?.environments;
  if (environments === undefined) {
    return undefined;
  }
  const active = environments.getActiveEnvironmentPath();
  return (await environments.resolveEnvironment(active))?.executable.uri?.fsPath ?? active.path;
}

/** Calls back when another interpreter is chosen. */
export async function onInterpreterChange(changed: () => void): Promise<Disposable> {
  const subscription = (await api())?.environments.onDidChangeActiveEnvironmentPath(changed);
  return subscription ?? new Disposable(() => undefined);
}
