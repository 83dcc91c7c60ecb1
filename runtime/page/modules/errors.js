/** An error a user can cause: its message is one sentence, without a full stop. */
export class UserError extends Error {}
