//! What is made of the figures of several rounds.

use crate::peer::Peer;
use crate::workload::{Spec, Target};

/// What watching for polls that hold their processor may cost all others, as a ratio.
const HAND_OFF_COST: f64 = 1.02;

/// The figures of one workload.
#[derive(Debug)]
pub struct Row {
    /// The workload.
    pub spec: Spec,
    /// The figure of every round, for each peer that took part.
    pub figures: Vec<(Peer, Vec<f64>)>,
}

/// gopark against the better of its rivals.
#[derive(Debug)]
pub struct Comparison {
    /// The rival with the lower median.
    pub rival: Peer,
    /// gopark's figure divided by the rival's of the same round, for every round. So what slowed
    /// down the machine for a while cancels out.
    pub ratios: Vec<f64>,
}

impl Row {
    /// `peer`'s figures, if it took part.
    #[must_use]
    pub fn of(&self, peer: Peer) -> Option<&[f64]> {
        self.figures
            .iter()
            .find(|(who, _)| *who == peer)
            .map(|(_, figures)| &figures[..])
    }

    /// Whether gopark is compared with itself, which it is where [`Peer::GoparkOff`] took part.
    fn with_itself(&self) -> bool {
        self.of(Peer::GoparkOff).is_some()
    }

    /// What gopark is to reach or beat among those that took part.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        if self.with_itself() {
            Some(Target::Ratio(HAND_OFF_COST))
        } else {
            self.spec.target
        }
    }

    /// gopark against the better of its rivals, if both took part.
    #[must_use]
    pub fn comparison(&self) -> Option<Comparison> {
        let ours = self.of(Peer::Gopark)?;
        let present = |peer: &Peer| Some((*peer, self.of(*peer)?));
        let rivals = if self.with_itself() {
            &[Peer::GoparkOff]
        } else {
            self.spec.rivals
        };
        let (rival, theirs) = (rivals.iter().filter_map(present))
            .min_by(|(_, a), (_, b)| median(a).total_cmp(&median(b)))?;
        let ratios = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| ours / theirs)
            .collect();
        Some(Comparison { rival, ratios })
    }

    /// Whether gopark meets the target, if there is one and those took part whom it is about.
    #[must_use]
    pub fn passes(&self) -> Option<bool> {
        Some(match self.target()? {
            Target::Ratio(most) => median(&self.comparison()?.ratios) <= most,
            Target::Bound(most) => median(self.of(Peer::Gopark)?) <= most,
        })
    }
}

/// The value in the middle; between the two in the middle if their number is even.
///
/// # Panics
///
/// Panics without values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

/// The least and the greatest value.
#[must_use]
pub fn spread(values: &[f64]) -> (f64, f64) {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (least, greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }

    #[test]
    fn gopark_is_compared_with_the_better_rival_round_by_round() {
        let row = Row {
            spec: Spec {
                target: Some(Target::Ratio(0.5)),
                ..workload::all()[0].spec
            },
            figures: vec![
                (Peer::Gopark, vec![10.0, 20.0, 30.0]),
                (Peer::Tokio, vec![40.0, 40.0, 40.0]),
                (Peer::Smol, vec![100.0, 10.0, 100.0]),
                (Peer::Go, vec![1.0, 1.0, 1.0]),
            ],
        };
        let comparison = row.comparison().unwrap();
        assert_eq!(comparison.rival, Peer::Tokio);
        assert_eq!(comparison.ratios, [0.25, 0.5, 0.75]);
        assert_eq!(row.passes(), Some(true));
        assert_eq!(spread(&comparison.ratios), (0.25, 0.75));
    }

    #[test]
    fn a_bound_needs_no_rival() {
        let bound = |most| Row {
            spec: Spec {
                target: Some(Target::Bound(most)),
                ..workload::all()[0].spec
            },
            figures: vec![(Peer::Gopark, vec![1.0, 3.0, 9.0])],
        };
        assert_eq!(bound(3.0).passes(), Some(true));
        assert_eq!(bound(2.9).passes(), Some(false));
    }

    #[test]
    fn gopark_that_is_not_watched_is_the_only_rival_where_it_takes_part() {
        let row = Row {
            spec: workload::all()[0].spec,
            figures: vec![
                (Peer::Gopark, vec![103.0]),
                (Peer::GoparkOff, vec![100.0]),
                (Peer::Tokio, vec![10.0]),
            ],
        };
        assert_eq!(row.comparison().unwrap().rival, Peer::GoparkOff);
        assert_eq!(row.target(), Some(Target::Ratio(1.02)));
        assert_eq!(row.passes(), Some(false));
    }

    #[test]
    fn there_is_no_comparison_without_gopark_or_without_a_rival() {
        let spec = workload::all()[0].spec;
        let alone = |peer| Row {
            spec,
            figures: vec![(peer, vec![1.0])],
        };
        assert!(alone(Peer::Gopark).comparison().is_none());
        assert!(alone(Peer::Tokio).comparison().is_none());
    }
}
