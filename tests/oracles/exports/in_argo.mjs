// Argo Rollouts' own types judge manifests: a JSON list of them on stdin, what is wrong with each (or null) on stdout.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const models = await import(pathToFileURL(`${process.argv[2]}/@kubernetes-models/argo-rollouts/argoproj.io/v1alpha1/index.js`).href);

const wrong = JSON.parse(readFileSync(0, "utf8")).map((manifest) => {
  try {
    new models[manifest.kind](manifest).validate();
    return null;
  } catch (error) {
    return String(error.message ?? error);
  }
});
console.log(JSON.stringify(wrong));
