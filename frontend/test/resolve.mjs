// Lets node run the sources as they are: an import without an ending is one of a .ts file.
import { registerHooks } from "node:module";

registerHooks({
  resolve(specifier, context, next) {
    const bare = specifier.startsWith(".") && !/\.[a-z]+$/.test(specifier);
    return next(bare ? `${specifier}.ts` : specifier, context);
  },
});
