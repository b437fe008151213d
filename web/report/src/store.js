// Choices and votes: kept in the browser, and as choices.json (docs/formats/results.md).

export class Store {
  /** `storage` is localStorage, or null where the browser keeps nothing for files: then all is kept until the page goes. */
  constructor(study, storage) {
    this.study = study;
    this.storage = storage;
    this.key = `continuo-report:${study.meta.spec_sha256 ?? study.meta.name ?? ''}`;
    this.listeners = [];
    this.choices = new Map(); // prompt -> {set, number, note, at}
    this.votes = []; // {winner: {set, number}, loser, at}
    for (const choice of study.choices) this.choices.set(choice.prompt, choice);
    this.votes.push(...study.votes);
    try {
      this.take(JSON.parse(this.storage?.getItem(this.key) ?? 'null'));
    } catch {
      /* what another page wrote there is no choices.json */
    }
  }

  /** Adds what a choices.json holds; what names no piece of this study is passed over, and of a prompt the later choice counts. */
  take(json) {
    for (const choice of Array.isArray(json?.choices) ? json.choices : []) {
      const known = this.choices.get(choice?.prompt);
      if (
        choice &&
        this.study.find(choice)?.owner.prompt === choice.prompt &&
        !(known && known.at > choice.at)
      ) {
        this.choices.set(choice.prompt, {
          prompt: choice.prompt,
          set: choice.set,
          number: choice.number,
          note: String(choice.note ?? ''),
          at: String(choice.at ?? ''),
        });
      }
    }
    const keys = new Set(this.votes.map(voteKey));
    for (const vote of Array.isArray(json?.votes) ? json.votes : []) {
      if (!this.study.find(vote?.winner) || !this.study.find(vote.loser)) continue;
      const named = ({set, number}) => ({set, number});
      const known = {
        winner: named(vote.winner),
        loser: named(vote.loser),
        at: String(vote.at ?? ''),
      };
      if (!keys.has(voteKey(known))) {
        keys.add(voteKey(known));
        this.votes.push(known);
      }
    }
  }

  choose(prompt, piece, note) {
    if (piece)
      this.choices.set(prompt, {
        prompt,
        set: piece.set,
        number: piece.number,
        note: note.slice(0, 2000),
        at: now(),
      });
    else this.choices.delete(prompt);
    this.save();
  }

  vote(winner, loser) {
    this.votes.push({
      winner: {set: winner.set, number: winner.number},
      loser: {set: loser.set, number: loser.number},
      at: now(),
    });
    this.save();
  }

  undoVote() {
    if (this.votes.length > this.study.votes.length) this.votes.pop();
    this.save();
  }

  toJson() {
    return {choices: [...this.choices.values()], votes: this.votes};
  }

  save() {
    try {
      this.storage?.setItem(this.key, JSON.stringify(this.toJson()));
    } catch {
      /* full or forbidden: kept until the page goes */
    }
    for (const listener of this.listeners) listener();
  }
}

const voteKey = ({winner, loser, at}) =>
  JSON.stringify([winner.set, winner.number, loser.set, loser.number, at]);
const now = () => new Date().toISOString();
