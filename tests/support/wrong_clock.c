/* A wall clock that is wrong, and a kernel that says whether it is kept: preloaded under a process.
 *
 * WRONG_CLOCK  a file of `struct control`, shared with whoever sets the clock; support/wrong_clock.py writes it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

struct control {
    int64_t ahead_s; /* of the machine's clock */
    int64_t is_kept; /* by a time service */
};

static volatile struct control *control;

__attribute__((constructor)) static void begin(void)
{
    const char *shared = getenv("WRONG_CLOCK");
    int fd = shared ? (int)syscall(SYS_openat, AT_FDCWD, shared, O_RDWR | O_CLOEXEC) : -1;
    void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED)
        control = page;
    if (fd >= 0)
        close(fd);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int done = (int)syscall(SYS_clock_gettime, clock, now);
    if (done == 0 && control && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += control->ahead_s;
    return done;
}

int adjtimex(struct timex *state)
{
    (void)state;
    return control && control->is_kept ? TIME_OK : TIME_ERROR;
}
