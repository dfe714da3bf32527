//! Arms that are none: the messages say what was expected, and where.

fn main() {
    gopark::select_blocking! {
        value => (),
    }
    gopark::select_blocking! {
        value = std::future::ready(1)
    }
    gopark::select_blocking! {
        value = std::future::ready(1) =>
    }
    gopark::select_blocking! {
        = std::future::ready(1) => (),
    }
    gopark::select_blocking! {
        default => (),
        default => (),
    }
}
