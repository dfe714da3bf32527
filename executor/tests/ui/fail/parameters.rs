//! Nobody passes arguments to `main` or to a test, and nothing gives a method its `self`.

struct Server;

impl Server {
    #[gopark::main]
    async fn serve(&self, port: u16) -> u16 {
        port
    }
}

#[gopark::test]
async fn a_test(port: u16) {
    let _ = port;
}

#[gopark::main]
async fn main(arguments: Vec<String>, (port, _): (u16, u16)) {
    let _ = (arguments, port);
}
