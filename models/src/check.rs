//! How a model is run: every interleaving of its threads with at most so many preemptions.

/// Runs `model` under loom with at most `preemptions` switches away from a thread that could have
/// gone on. Nearly every known bug of this kind needs two at most (Musuvathi and Qadeer, "Iterative
/// context bounding", PLDI 2007), and the number of runs grows steeply with the bound.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}
