/** What the browser keeps for this page: where it refuses, as it may for files and in notebooks, nothing is kept, and nothing fails. */

export interface Kept {
  read(name: string): string | null;
  write(name: string, text: string): void;
}

/** find: the browser's own store, which may refuse even to be looked at. */
export function kept(find: () => Storage): Kept {
  return {
    read(name) {
      try {
        return find().getItem(`byhand ${name}`);
      } catch {
        return null;
      }
    },
    write(name, text) {
      try {
        find().setItem(`byhand ${name}`, text);
      } catch {
        // as good as a browser that keeps nothing
      }
    },
  };
}

/** For good, and until the tab is closed. */
export const lasting = kept(() => localStorage);
export const passing = kept(() => sessionStorage);
