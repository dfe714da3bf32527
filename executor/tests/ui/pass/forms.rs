//! What a function may look like: attributes, visibility, names, return types, arguments.
#![deny(warnings)]
#![allow(dead_code)]

/// A documented one, visible here and there.
#[gopark::main]
#[inline(never)]
pub(crate) async fn documented() -> Result<(), Box<dyn std::error::Error>> {
    let _: u16 = "7777".parse()?;
    Ok(())
}

#[gopark::main(flavor = "current_thread")]
async fn r#async(
    text: &str,
    (a, mut b): (i64, i64),
    #[allow(unused_variables)] pairs: std::collections::BTreeMap<String, fn(u8) -> u8>,
) -> [i64; 2] {
    b += text.len() as i64;
    gopark::yield_now().await;
    [a, b]
}

#[gopark::main]
async fn never() -> ! {
    std::process::exit(0)
}

#[gopark::main]
async fn opaque() -> impl std::process::Termination {
    std::process::ExitCode::SUCCESS
}

macro_rules! entry {
    ($(#[$meta:meta])* $vis:vis $name:ident, $ret:ty, $procs:literal, $body:block) => {
        $(#[$meta])*
        #[gopark::main(procs = $procs)]
        $vis async fn $name() -> $ret $body
    };
}

entry!(/** From a macro. */ pub from_a_macro, u8, 1, { 7 });
entry!(private_from_a_macro, Option<u8>, 2, { Some(7) });

macro_rules! annotate {
    ($item:item) => {
        #[gopark::main(flavor = "current_thread")]
        $item
    };
}

annotate! { async fn whole_item() -> u8 { 7 } }

#[gopark::main]
async fn main() {
    gopark::yield_now().await;
}
