/** Who calls whom. Ids are compared as the old client does: by UTF-16 code unit. */

import type { Id } from "../protocol/documents";

/** In a conference each offers to those whose Id is greater than its own. */
export function offersTo(self: Id, other: Id): boolean {
  return self < other;
}

/** When both offer at once, the offer of the lesser Id stands, and the other side gives way. */
export function givesWay(self: Id, other: Id): boolean {
  return self > other;
}
