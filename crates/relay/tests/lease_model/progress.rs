//! Progress: once no more faults occur, every path leads to the end.
//!
//! The healthy steps are those that happen without faults; time passes only when there are none.
//! The property holds if no path of healthy steps from any reachable state contains a cycle or
//! stops before the end. A depth-first search detects both and counts the ticks of the longest
//! path.

/// The healthy steps between states, ordered by state number.
#[derive(Debug, Default)]
pub(crate) struct Healthy {
    /// Index in `edges` of each state's first step.
    begins: Vec<u32>,
    /// The target state of a step; the top bit marks a tick.
    edges: Vec<u32>,
    ended: Vec<bool>,
}

const TICK: u32 = 1 << 31;

impl Healthy {
    /// Starts the list of the next state's steps.
    pub(crate) fn begin(&mut self, ended: bool) {
        self.begins.push(u32::try_from(self.edges.len()).unwrap());
        self.ended.push(ended);
    }

    /// Adds one step.
    pub(crate) fn edge(&mut self, to: u32, tick: bool) {
        self.edges.push(if tick { to | TICK } else { to });
    }

    fn of(&self, state: u32) -> &[u32] {
        let begin = |state| self.begins.get(state).map_or(self.edges.len(), |at| index(*at));
        &self.edges[begin(index(state))..begin(index(state) + 1)]
    }
}

fn index(id: u32) -> usize {
    usize::try_from(id).unwrap()
}

/// Returns the largest number of ticks from any state to the end.
///
/// # Errors
/// Returns a state from which the end may never be reached.
pub(crate) fn longest(healthy: &Healthy) -> Result<u32, u32> {
    const UNKNOWN: u32 = u32::MAX;
    const ON_THE_WAY: u32 = u32::MAX - 1;
    let count = u32::try_from(healthy.ended.len()).unwrap();
    let mut ticks = vec![UNKNOWN; healthy.ended.len()];
    let mut way: Vec<(u32, usize)> = Vec::new();
    for start in 0..count {
        if ticks[index(start)] == UNKNOWN {
            way.push((start, 0));
        }
        while let Some((state, done)) = way.pop() {
            if healthy.ended[index(state)] {
                ticks[index(state)] = 0;
                continue;
            }
            let edges = healthy.of(state);
            if edges.is_empty() {
                return Err(state);
            }
            ticks[index(state)] = ON_THE_WAY;
            let Some(edge) = edges.get(done) else {
                let after = |edge: &u32| ticks[index(edge & !TICK)] + u32::from(edge & TICK != 0);
                ticks[index(state)] = edges.iter().map(after).max().unwrap_or(0);
                continue;
            };
            way.push((state, done + 1));
            match ticks[index(edge & !TICK)] {
                UNKNOWN => way.push((edge & !TICK, 0)),
                ON_THE_WAY => return Err(state),
                _ => {}
            }
        }
    }
    Ok(ticks.into_iter().max().unwrap_or(0))
}
