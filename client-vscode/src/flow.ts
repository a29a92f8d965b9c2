/** Small tools that decide when work is done: once at a time, not too often, not too early. */

/** Runs a job one at a time; requests that come meanwhile become one more run afterwards. */
export class Coalesced {
  private running: Promise<void> | undefined;
  private queued: Promise<void> | undefined;

  constructor(private readonly job: () => Promise<void>) {}

  /** Resolves after a run of the job that began no earlier than this call. */
  request(): Promise<void> {
    if (this.running === undefined) {
      this.running = this.job().finally(() => {
        this.running = undefined;
      });
      return this.running;
    }
    this.queued ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.queued = undefined;
        return this.request();
      });
    return this.queued;
  }
}

/** Calls a function some time after the last request for it. */
export class Debounced {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly milliseconds: number,
    private readonly job: () => void,
  ) {}

  request(): void {
    this.dispose();
    this.timer = setTimeout(this.job, this.milliseconds);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }
}

/** Calls a function soon after the first request for it, and no more often than that. */
export class Throttled {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly milliseconds: number,
    private readonly job: () => void,
  ) {}

  request(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.job();
    }, this.milliseconds);
  }

  dispose(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

/** Calls a function later and later, until it is told to stop or the delays are used up. */
export class Backoff {
  private timer: NodeJS.Timeout | undefined;
  private tries = 0;

  constructor(
    private readonly delays: readonly number[],
    private readonly job: () => void,
  ) {}

  /** Plans one more call. */
  request(): void {
    clearTimeout(this.timer);
    const delay = this.delays[this.tries];
    if (delay !== undefined) {
      this.tries += 1;
      this.timer = setTimeout(this.job, delay);
    }
  }

  /** Begins anew with the first delay. */
  dispose(): void {
    clearTimeout(this.timer);
    this.tries = 0;
  }
}
