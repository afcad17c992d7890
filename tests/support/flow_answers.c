#include "tests/support/flow_answers.h"

#include "tests/support/support.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

void flow_answers_open(struct flow_answers *answers, const struct ps_port *port)
{
    struct epoll_event event = {.events = EPOLLIN};
    *answers = (struct flow_answers){.epoll_fd = port->epoll_fd, .timer_fd = -1};
    if (port->epoll_fd < 0)
        return;
    answers->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    assert_true(answers->timer_fd >= 0);
    assert_int_equal(epoll_ctl(port->epoll_fd, EPOLL_CTL_ADD, answers->timer_fd, &event), 0);
}

void flow_answers_close(struct flow_answers *answers)
{
    if (answers->timer_fd >= 0)
        close(answers->timer_fd);
    answers->timer_fd = -1;
}

void flow_answers_read(struct flow_answers *answers)
{
    struct epoll_event event;
    uint64_t count;
    if (answers->timer_fd >= 0 && epoll_wait(answers->epoll_fd, &event, 1, 0) == 1)
        assert_int_equal(read(answers->timer_fd, &count, sizeof count), sizeof count);
}

uint64_t flow_answers_await(struct flow_answers *answers, uint64_t due_ns)
{
    if (answers->timer_fd < 0)
        return due_ns;
    struct itimerspec at = {
        .it_value = {.tv_sec = (time_t)(due_ns / PS_NS_PER_S), .tv_nsec = (long)(due_ns % PS_NS_PER_S)}};
    assert_int_equal(timerfd_settime(answers->timer_fd, TFD_TIMER_ABSTIME, &at, NULL), 0);
    return PS_NEVER;
}
