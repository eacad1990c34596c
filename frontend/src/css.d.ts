// Style sheets are imported for esbuild to gather into explorer.css.
declare module "*.css";
