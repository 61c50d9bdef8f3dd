//! Which steps lead where: what is never reached, and what runs in a circle.

use std::collections::BTreeSet;

/// The steps as a graph.
pub(super) struct Graph {
    /// For each step the steps that may follow.
    pub followers: Vec<Vec<usize>>,
    /// For each step whether it waits for the customer.
    pub waits: Vec<bool>,
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

    /// Circles in which no step waits for the customer, each as the way round from its first step; one for each step that such a circle can
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

    /// The shortest way from a step back to itself over steps that do not wait.
    fn circle_through(&self, start: usize) -> Option<Vec<usize>> {
        if self.waits[start] {
            return None;
        }
        let mut came_from = vec![None; self.followers.len()];
        let mut open = std::collections::VecDeque::from([start]);
        while let Some(step) = open.pop_front() {
            for &follower in &self.followers[step] {
                if follower == start {
                    return Some(way(&came_from, start, step));
                }
                if !self.waits[follower] && came_from[follower].is_none() {
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
    fn a_long_way_does_not_take_long() {
        // Every step leads to every later one and to itself over a waiting step.
        let count = 200;
        let followers: Vec<Vec<usize>> = (0..count).map(|step| (step + 1..count).collect()).collect();
        let graph = Graph { followers, waits: vec![false; count] };
        assert!(graph.circles().is_empty());
    }
}
