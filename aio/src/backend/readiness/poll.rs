pub type Poll = super::Epoll;
