//! child_exit.

use std::process::{Child, Stdio};

use corio_aio::op::{Any, Value};
use corio_aio::{self as aio, Mode, OpKind, op};

use crate::positions;
use crate::scene::{Kept, Scene, code, promises};
use crate::system::{self, Code, without_descriptors};

promises![
    a_child_tells_how_it_ended,
    a_child_that_is_owned_is_waited_for,
    a_child_exit_waits_for_the_end,
    a_child_that_was_waited_for_tells_its_status_again,
    a_child_exit_works_in_each_place_of_a_chain,
    a_child_exit_without_descriptors_left_is_emfile,
    a_child_exit_that_is_canceled_leaves_the_child_to_be_waited_for,
    many_children_are_waited_for_at_once,
];

/// A child that ends with `code`.
fn child(code: i32) -> Child {
    system::child(code).spawn().expect("a program that starts")
}

/// A child that ends with 1 at the end of its input.
fn waiting_child() -> Child {
    let mut command = system::waiting_child();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a program that starts")
}

fn a_child_tells_how_it_ended(_: &mut Scene) -> Kept {
    let mut child = child(7);
    let number = child.id();
    assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(7));
    assert!(system::is_gone(number), "it is no zombie");
    assert_eq!(child.wait()?.code(), Some(7));
    let mut child = waiting_child();
    child.kill()?;
    assert!(system::was_killed(aio::single(op::child_exit(&mut child))?));
    Ok(())
}

fn a_child_that_is_owned_is_waited_for(scene: &mut Scene) -> Kept {
    let mut queue = scene.queue(2);
    let ended = queue.queue(op::child_exit(child(3)))?;
    queue.complete_all()?;
    let (status, mut exit) = ended.recover(&mut queue)?;
    assert_eq!((status?.code(), exit.child.wait()?.code()), (Some(3), Some(3)));
    let boxed = op::child_exit(Box::new(child(4)));
    assert_eq!(aio::single(boxed)?.code(), Some(4));
    Ok(())
}

fn a_child_exit_waits_for_the_end(scene: &mut Scene) -> Kept {
    let mut child = waiting_child();
    let input = child.stdin.take();
    let mut queue = scene.queue(2);
    let ended = queue.queue(op::child_exit(child))?;
    assert_eq!(queue.complete(Mode::NonBlocking)?, []);
    drop(input);
    assert_eq!(queue.complete(Mode::Blocking)?.len(), 1);
    assert_eq!(ended.take(&mut queue)?.code(), Some(1));
    Ok(())
}

fn a_child_that_was_waited_for_tells_its_status_again(_: &mut Scene) -> Kept {
    let mut child = child(5);
    child.wait()?;
    for _ in 0..2 {
        assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(5));
    }
    Ok(())
}

fn a_child_exit_works_in_each_place_of_a_chain(scene: &mut Scene) -> Kept {
    let is_six = |exit: &Value| matches!(exit, Value::Exit(status) if status.code() == Some(6));
    positions::succeeds(scene, || Any::new(op::child_exit(child(6))), is_six)
}

fn a_child_exit_without_descriptors_left_is_emfile(_: &mut Scene) -> Kept {
    let mut child = waiting_child();
    let ended = without_descriptors(|| aio::single(op::child_exit(&mut child)));
    assert_eq!(ended.map_err(|error| error.op()), Err(Some(OpKind::ChildExit)));
    assert_eq!(code(ended), Code::EMFILE);
    child.stdin = None;
    assert_eq!(aio::single(op::child_exit(&mut child))?.code(), Some(1));
    Ok(())
}

fn a_child_exit_that_is_canceled_leaves_the_child_to_be_waited_for(scene: &mut Scene) -> Kept {
    let mut child = waiting_child();
    let input = child.stdin.take();
    let mut exit = positions::can_be_canceled(scene, op::child_exit(child))?;
    assert!(exit.child.try_wait()?.is_none());
    drop(input);
    assert_eq!(aio::single(op::child_exit(&mut exit.child))?.code(), Some(1));
    Ok(())
}

fn many_children_are_waited_for_at_once(_: &mut Scene) -> Kept {
    let mut children: Vec<Child> = (0..20).map(child).collect();
    let exits: Vec<_> = children.iter_mut().map(op::child_exit).collect();
    let codes: Vec<_> = aio::multi(exits)?.iter().map(|status| status.code()).collect();
    assert_eq!(codes, (0..20).map(Some).collect::<Vec<_>>());
    Ok(())
}
