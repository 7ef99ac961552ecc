// Asks the server, and turns its refusals into errors that say what is wrong.

/** The refusal of a request: `problem` is what the server says (RFC 9457), null where it says nothing. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `status ${status}`);
    this.status = status;
    this.problem = problem;
  }
}

/** What the server answers, parsed; null where it answers with nothing. Throws `Refused`. */
export async function ask(address, method = "GET") {
  let answer;
  try {
    answer = await fetch(address, { method, headers: { Accept: "application/json" } });
  } catch {
    throw new Refused(0, null);
  }
  if (answer.status === 401) location.assign("/login");
  const kind = answer.headers.get("Content-Type") ?? "";
  const body = kind.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new Refused(answer.status, body);
  return body;
}
