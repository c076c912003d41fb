/** The elements that `index.html` names. */

/** The element with this id. */
export const $ = (id) => document.getElementById(id);
