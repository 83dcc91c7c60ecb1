/** Elements of the page: found by their names, and made. */

/**
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function byId(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) {
    throw new Error(`the page has no ${id}`);
  }
  return found;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Partial<HTMLElementTagNameMap[K]>} properties
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function make(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/**
 * Change a text where it is to be another: each change is read out.
 *
 * @param {HTMLElement} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

/**
 * Have a button do something.
 *
 * @param {string} id
 * @param {() => void} act
 */
export function onClick(id, act) {
  byId(id, HTMLButtonElement).addEventListener("click", act);
}

/**
 * Hand the focus over where an element has it that is about to lose it: hidden, or disabled.
 *
 * @param {HTMLElement} from
 * @param {HTMLElement} to
 */
export function handOver(from, to) {
  if (document.activeElement === from) {
    to.focus();
  }
}

/**
 * Disable a control, or not; another one gets the focus that it loses.
 *
 * @param {HTMLButtonElement} control
 * @param {boolean} disabled
 * @param {HTMLElement} next
 */
export function disable(control, disabled, next) {
  if (disabled) {
    handOver(control, next);
  }
  control.disabled = disabled;
}

/**
 * The radio buttons of a name.
 *
 * @param {string} name
 * @returns {HTMLInputElement[]}
 */
export function radios(name) {
  return [...document.querySelectorAll(`input[type=radio][name=${name}]`)].filter(
    (found) => found instanceof HTMLInputElement,
  );
}
