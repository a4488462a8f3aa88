// How many browsers send media at a time.

export class Slots {
  #free;
  #waiting = [];

  constructor(count) {
    this.#free = count;
  }

  /** Takes `count` slots, in the order of the calls. Returns a function that frees them, once. */
  async take(count) {
    await new Promise((resolve) => {
      this.#waiting.push({ count, resolve });
      this.#serve();
    });
    let isTaken = true;
    return () => {
      if (isTaken) {
        isTaken = false;
        this.#free += count;
        this.#serve();
      }
    };
  }

  #serve() {
    while (this.#waiting.length > 0 && this.#waiting[0].count <= this.#free) {
      const { count, resolve } = this.#waiting.shift();
      this.#free -= count;
      resolve();
    }
  }
}
