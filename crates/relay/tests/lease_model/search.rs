//! Breadth-first search of all reachable states, so that a counterexample has minimal length.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::mem::discriminant;

use crate::moves::{Move, Step};
use crate::progress::{self, Healthy};
use crate::promises::{Promise, broken};
use crate::rules::Model;
use crate::state::State;

/// The result of a search without a counterexample.
#[derive(Debug)]
pub(crate) struct Explored {
    /// Reachable states.
    pub(crate) states: usize,
    /// Steps between them.
    pub(crate) steps: usize,
    /// Ticks from the worst state to the end of the session once no more faults occur.
    pub(crate) ticks_to_the_end: u32,
    /// The number of kinds of moves that occurred.
    pub(crate) kinds: usize,
}

/// How a property is violated.
#[derive(Debug)]
pub(crate) struct Counterexample {
    pub(crate) promise: Promise,
    /// The moves from the initial state, with the state after each.
    pub(crate) trace: Vec<(Move, State)>,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} is broken by these {} moves:", self.promise, self.trace.len())?;
        for (name, state) in &self.trace {
            writeln!(f, "{name:?}\n    {:?}\n    {:?}", state.table, state.processor)?;
            for run in &state.runs {
                writeln!(f, "    {run:?}")?;
            }
            writeln!(f, "    late: {:?} {:?}", state.late_writes, state.late_deliveries)?;
        }
        Ok(())
    }
}

/// A state's number, in order of discovery.
type Id = u32;

/// Checks every property in every reachable state.
pub(crate) fn check(model: &Model) -> Result<Explored, Box<Counterexample>> {
    let initial = State::initial(model.long_lapsed()).settled();
    let mut search = Search {
        known: HashMap::default(),
        parents: Vec::new(),
        frontier: VecDeque::new(),
        healthy: Healthy::default(),
    };
    search.visit(initial, 0, 0);
    let (mut found, mut kinds, mut steps) = (Vec::new(), HashSet::new(), 0);
    let mut id: Id = 0;
    while let Some(state) = search.frontier.pop_front() {
        model.steps(&state, &mut found);
        steps += found.len();
        search.healthy.begin(state.table.ended);
        for (branch, step) in found.iter().enumerate() {
            kinds.insert(discriminant(&step.name));
            if let Some(promise) = broken(&state, &step.to) {
                let mut trace = search.trace(model, id);
                trace.push((step.name, step.to));
                return Err(Box::new(Counterexample { promise, trace }));
            }
            let to = search.visit(step.to, id, branch);
            if step.healthy {
                search.healthy.edge(to, step.name == Move::Tick);
            }
        }
        id += 1;
    }
    match progress::longest(&search.healthy) {
        Ok(ticks_to_the_end) => {
            let (states, kinds) = (search.known.len(), kinds.len());
            Ok(Explored { states, steps, ticks_to_the_end, kinds })
        }
        Err(stuck) => {
            let trace = search.trace(model, stuck);
            Err(Box::new(Counterexample { promise: Promise::ReachesTheEnd, trace }))
        }
    }
}

struct Search {
    known: HashMap<State, Id, BuildHasherDefault<Mixer>>,
    /// How each state was first reached: from which state, and by which of its steps.
    parents: Vec<(Id, u32)>,
    frontier: VecDeque<State>,
    healthy: Healthy,
}

impl Search {
    fn visit(&mut self, state: State, parent: Id, branch: usize) -> Id {
        let next = Id::try_from(self.parents.len()).unwrap();
        let id = *self.known.entry(state).or_insert(next);
        if id == next {
            self.parents.push((parent, u32::try_from(branch).unwrap()));
            self.frontier.push_back(state);
        }
        id
    }

    /// Reconstructs the path to `id` by repeating its steps.
    fn trace(&self, model: &Model, mut id: Id) -> Vec<(Move, State)> {
        let mut branches = Vec::new();
        while id != 0 {
            let (parent, branch) = self.parents[usize::try_from(id).unwrap()];
            branches.push(usize::try_from(branch).unwrap());
            id = parent;
        }
        let mut state = State::initial(model.long_lapsed()).settled();
        let mut found: Vec<Step> = Vec::new();
        let replay = branches.into_iter().rev().map(|branch| {
            model.steps(&state, &mut found);
            state = found[branch].to;
            (found[branch].name, state)
        });
        replay.collect()
    }
}

/// A fast hash. The states are generated here, so collisions cannot be forced.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u8(*byte));
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number.cast_unsigned() as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    fn finish(&self) -> u64 {
        (self.0 ^ (self.0 >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
