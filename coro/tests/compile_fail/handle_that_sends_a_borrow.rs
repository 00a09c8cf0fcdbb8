//! What is sent to a scheduler may run when the sender's frame is gone.

fn main() {
    corio::run(|| {
        let text = String::from("borrowed");
        corio::handle().unwrap().spawn(|| text.len()).detach();
    })
    .unwrap();
}
