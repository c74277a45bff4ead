/* SPDX-License-Identifier: MIT */
/*
 * A clock that a test sets, preloaded into mariadbd and cascaded. The file FASTCLOCK_FILE says what
 * time was shown at some moment and how fast it goes on from there; whoever maps it shows the same
 * time, also after a restart, and follows when the test changes the rate. FASTCLOCK_ALL is for our
 * own programs: their monotonic clock and what they sleep go by it too. Waits inside the server
 * keep their real length, or each lock would time out at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL

/* Written by tests/lib/fastclock.py: SEQ is odd while it writes. */
struct shown {
	uint64_t seq;
	int64_t mono_ns; /* of the machine, when SHOWN_NS was shown */
	int64_t shown_ns;
	double rate;
};

static const volatile struct shown *shown;
static int all;

static int64_t
real_ns(clockid_t id)
{
	struct timespec t;

	syscall(SYS_clock_gettime, id, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* The first call of any of these comes long before main. */
static int
is_on(void)
{
	static int tried;
	const char *path;
	void *map;
	int fd;

	if (tried)
		return shown != NULL;
	tried = 1;
	path = getenv("FASTCLOCK_FILE");
	fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 0;
	map = mmap(NULL, sizeof(struct shown), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	all = getenv("FASTCLOCK_ALL") != NULL;
	if (map != MAP_FAILED)
		shown = map;
	return shown != NULL;
}

static struct shown
read_shown(void)
{
	struct shown s;
	uint64_t seq;

	do {
		seq = __atomic_load_n(&shown->seq, __ATOMIC_ACQUIRE);
		s.mono_ns = shown->mono_ns;
		s.shown_ns = shown->shown_ns;
		s.rate = shown->rate;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (seq % 2 != 0 || __atomic_load_n(&shown->seq, __ATOMIC_RELAXED) != seq);
	return s;
}

static int64_t
now_ns(void)
{
	struct shown s = read_shown();

	return s.shown_ns + (int64_t)((double)(real_ns(CLOCK_MONOTONIC) - s.mono_ns) * s.rate);
}

static int
is_shown(clockid_t id)
{
	if (!is_on())
		return 0;
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
		return 1;
	return all &&
	       (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_BOOTTIME);
}

static struct timespec
to_timespec(int64_t ns)
{
	return (struct timespec){ ns / NS_PER_S, ns % NS_PER_S };
}

static int64_t
to_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * NS_PER_S + t->tv_nsec;
}

int
clock_gettime(clockid_t id, struct timespec *t)
{
	if (!is_shown(id))
		return (int)syscall(SYS_clock_gettime, id, t);
	*t = to_timespec(now_ns());
	return 0;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec t;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
	return 0;
}

time_t
time(time_t *out)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (out != NULL)
		*out = t.tv_sec;
	return t.tv_sec;
}

/* UNTIL in shown time as the moment of the machine's clock that is as far away. */
int
pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
    const struct timespec *restrict until)
{
	static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
	struct timespec t = *until;

	if (next == NULL)
		*(void **)&next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
	/* a smaller number is a monotonic clock's */
	if (is_on() && to_ns(until) > NS_PER_S * NS_PER_S)
		t = to_timespec(real_ns(CLOCK_REALTIME) + to_ns(until) - now_ns());
	return next(cond, mutex, &t);
}

static struct timespec
shortened(const struct timespec *t)
{
	return is_on() && all ? to_timespec((int64_t)((double)to_ns(t) / read_shown().rate)) : *t;
}

int
nanosleep(const struct timespec *length, struct timespec *left)
{
	struct timespec t = shortened(length);

	return (int)syscall(SYS_nanosleep, &t, left);
}

int
ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout, const sigset_t *mask)
{
	struct timespec t;

	if (timeout != NULL)
		t = shortened(timeout);
	return (int)syscall(
	    SYS_ppoll, fds, n, timeout != NULL ? &t : NULL, mask, mask != NULL ? 8 : 0);
}
