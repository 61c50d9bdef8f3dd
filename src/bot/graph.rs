//! Which steps lead where: what is never reached, and what runs in a circle.

use std::collections::BTreeSet;

/// The steps as a graph.
pub(super) struct Graph {
    /// For each step the steps that may follow.
    pub followers: Vec<Vec<usize>>,
    /// For each step whether it waits for the customer.
    pub waits: Vec<bool>,
    /// For each step that waits, the step that follows when the customer says nothing.
    pub unanswered: Vec<Option<usize>>,
}

impl Graph {
    /// The steps that nothing leads to from `start`, in their order.
    pub(super) fn unreachable(&self, start: usize) -> Vec<usize> {
        let mut seen = BTreeSet::from([start]);
        let mut open = vec![start];
        while let Some(step) = open.pop() {
            open.extend(self.followers[step].iter().copied().filter(|follower| seen.insert(*follower)));
        }
        (0..self.followers.len()).filter(|step| !seen.contains(step)).collect()
    }

    /// Circles that run on while the customer says nothing, each as the way round from its first step; one for each step that such a circle can
    /// be found from and that is in no circle found before.
    pub(super) fn circles(&self) -> Vec<Vec<usize>> {
        let mut found: Vec<Vec<usize>> = Vec::new();
        for step in 0..self.followers.len() {
            if found.iter().any(|circle| circle.contains(&step)) {
                continue;
            }
            if let Some(circle) = self.circle_through(step) {
                found.push(circle);
            }
        }
        found
    }

    /// Whether a step that waits leads to this one.
    pub(super) fn follows_a_wait(&self, step: usize) -> bool {
        self.followers.iter().zip(&self.waits).any(|(followers, waits)| *waits && followers.contains(&step))
    }

    /// How many of the marked steps there are at most on a way from a step to the first that waits, both included. Not for a graph in which steps run in a
    /// circle without waiting.
    pub(super) fn most_before_waiting(&self, start: usize, marked: &[bool]) -> usize {
        let mut most = vec![None; self.followers.len()];
        let mut open = vec![(start, false)];
        while let Some((step, followers_are_known)) = open.pop() {
            if most[step].is_some() {
                continue;
            }
            let followers: &[usize] = if self.waits[step] { &[] } else { &self.followers[step] };
            if followers_are_known || followers.is_empty() {
                let behind = followers.iter().filter_map(|follower| most[*follower]).max().unwrap_or(0);
                most[step] = Some(behind + usize::from(marked[step]));
            } else {
                open.push((step, true));
                open.extend(followers.iter().map(|follower| (*follower, false)));
            }
        }
        most[start].unwrap_or(0)
    }

    /// The steps that may follow while the customer says nothing.
    fn in_silence(&self, step: usize) -> &[usize] {
        if self.waits[step] { self.unanswered[step].as_slice() } else { &self.followers[step] }
    }

    /// The shortest way from a step back to itself while the customer says nothing.
    fn circle_through(&self, start: usize) -> Option<Vec<usize>> {
        let mut came_from = vec![None; self.followers.len()];
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(step) = open.pop_front() {
            for &follower in self.in_silence(step) {
                if follower == start {
                    return Some(way(&came_from, start, step));
                }
                if came_from[follower].is_none() {
                    came_from[follower] = Some(step);
                    open.push_back(follower);
                }
            }
        }
        None
    }
}

fn way(came_from: &[Option<usize>], start: usize, end: usize) -> Vec<usize> {
    let mut way = vec![end];
    let mut step = end;
    while step != start {
        let Some(before) = came_from[step] else { break };
        way.push(before);
        step = before;
    }
    way.reverse();
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(followers: &[&[usize]], waiting: &[usize]) -> Graph {
        Graph {
            followers: followers.iter().map(|followers| followers.to_vec()).collect(),
            waits: (0..followers.len()).map(|step| waiting.contains(&step)).collect(),
            unanswered: vec![None; followers.len()],
        }
    }

    #[test]
    fn what_nothing_leads_to_is_found() {
        let graph = graph(&[&[2], &[0], &[], &[3]], &[]);
        assert_eq!(graph.unreachable(0), [1, 3]);
        assert_eq!(graph.unreachable(1), [3]);
    }

    #[test]
    fn circles_are_found_unless_a_step_waits() {
        assert_eq!(graph(&[&[1], &[2], &[0]], &[]).circles(), [[0, 1, 2]]);
        assert!(graph(&[&[1], &[2], &[0]], &[1]).circles().is_empty());
        assert_eq!(graph(&[&[0]], &[]).circles(), [[0]]);
        assert!(graph(&[&[0]], &[0]).circles().is_empty());
        assert_eq!(graph(&[&[1], &[2, 3], &[1], &[4], &[3]], &[]).circles(), [[1, 2], [3, 4]]);
    }

    #[test]
    fn a_question_that_nobody_answers_holds_up_no_circle() {
        let mut graph = graph(&[&[1, 2], &[0], &[]], &[0]);
        assert!(graph.circles().is_empty(), "an answer is waited for");
        graph.unanswered[0] = Some(1);
        assert_eq!(graph.circles(), [[0, 1]]);
        graph.unanswered[0] = Some(0);
        assert_eq!(graph.circles(), [[0]]);
    }

    #[test]
    fn the_longest_way_to_a_wait_is_counted() {
        // 0 to 1 or 2, both to 3, which waits and leads back to 0.
        let graph = graph(&[&[1, 3], &[2], &[3], &[0]], &[3]);
        assert_eq!(graph.most_before_waiting(0, &[true; 4]), 4);
        assert_eq!(graph.most_before_waiting(0, &[true, false, true, false]), 2);
        assert_eq!(graph.most_before_waiting(3, &[true; 4]), 1);
        assert!(graph.follows_a_wait(0) && !graph.follows_a_wait(1));
    }

    #[test]
    fn a_long_way_does_not_take_long() {
        // Every step leads to every later one and to itself over a waiting step.
        let count = 200;
        let followers: Vec<Vec<usize>> = (0..count).map(|step| (step + 1..count).collect()).collect();
        let graph = Graph { followers, waits: vec![false; count], unanswered: vec![None; count] };
        assert!(graph.circles().is_empty());
        assert_eq!(graph.most_before_waiting(0, &vec![true; count]), count);
    }
}
