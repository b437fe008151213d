// Pieces in IndexedDB, so that they survive a crash of the tab; in memory where a browser keeps nothing.

export interface StoredTake {
  index: number;
  midi: Uint8Array;
  nll: number | null;
  stopped?: boolean;
  /** Of a rewriting; without, its place in the list. */
  rank?: number;
}

export interface StoredSet {
  id: string;
  task: 'generate' | 'continue' | 'fill';
  source: Uint8Array | null;
  sourceName: string;
  promptBars: number;
  bars: number;
  first: number;
  last: number;
  track?: number;
  options: Record<string, unknown>;
  model: string;
  modelSha256: string;
  engine: 'server' | 'wasm';
  kept: number | null;
  takes: StoredTake[];
}

export interface StoredPiece {
  id: string;
  title: string;
  created: number;
  updated: number;
  midi: Uint8Array;
  sets: StoredSet[];
  notes: number;
  bars: number;
  seconds: number;
}

const kName = 'continuo-studio';

export class Store {
  private database: IDBDatabase | undefined;
  private readonly memory = new Map<string, StoredPiece>();
  private last: string | undefined;
  /** Whether pieces outlive the page. */
  lasts = false;

  async open(): Promise<void> {
    try {
      this.database = await new Promise<IDBDatabase>((resolve, reject) => {
        const request = indexedDB.open(kName, 1);
        request.onupgradeneeded = () => {
          request.result.createObjectStore('pieces', {keyPath: 'id'});
          request.result.createObjectStore('facts');
        };
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
        request.onblocked = () => reject(new Error('blocked'));
      });
      this.lasts = true;
    } catch {
      this.lasts = false;
    }
  }

  private run<T>(
    names: string[],
    mode: IDBTransactionMode,
    body: (transaction: IDBTransaction) => IDBRequest<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const transaction = this.database!.transaction(names, mode, {durability: 'strict'});
      const request = body(transaction);
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = transaction.onabort = () => reject(transaction.error);
    });
  }

  async put(piece: StoredPiece): Promise<void> {
    if (!this.database) {
      this.memory.set(piece.id, piece);
      this.last = piece.id;
      return;
    }
    await this.run(['pieces', 'facts'], 'readwrite', (transaction) => {
      transaction.objectStore('facts').put(piece.id, 'last');
      return transaction.objectStore('pieces').put(piece);
    });
  }

  async get(id: string): Promise<StoredPiece | undefined> {
    if (!this.database) return this.memory.get(id);
    return this.run(['pieces'], 'readonly', (transaction) =>
      transaction.objectStore('pieces').get(id),
    );
  }

  async lastId(): Promise<string | undefined> {
    if (!this.database) return this.last;
    return this.run(['facts'], 'readonly', (transaction) =>
      transaction.objectStore('facts').get('last'),
    );
  }

  /** The newest first. */
  async list(): Promise<StoredPiece[]> {
    const all = this.database
      ? await this.run<StoredPiece[]>(['pieces'], 'readonly', (transaction) =>
          transaction.objectStore('pieces').getAll(),
        )
      : [...this.memory.values()];
    return all.sort((a, b) => b.updated - a.updated);
  }

  async remove(id: string): Promise<void> {
    if (!this.database) {
      this.memory.delete(id);
      return;
    }
    await this.run(['pieces'], 'readwrite', (transaction) =>
      transaction.objectStore('pieces').delete(id),
    );
  }
}

/** Whether this tab is the only one that has the piece open; holds it until the page ends or `free` is called. */
export async function claim(id: string): Promise<{mine: boolean; free: () => void}> {
  if (!navigator.locks) return {mine: true, free: () => {}};
  return new Promise((resolve) => {
    navigator.locks
      .request(`continuo-piece-${id}`, {ifAvailable: true}, (lock) => {
        if (!lock) {
          resolve({mine: false, free: () => {}});
          return;
        }
        return new Promise<void>((free) => resolve({mine: true, free}));
      })
      .catch(() => resolve({mine: true, free: () => {}}));
  });
}
