/* Collect what writers of dnstap send to a unix socket: cc collector.c -lfstrm -lpthread */
#include <fstrm.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

static const char type[] = "protobuf:dnstap.Dnstap";
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct fstrm_writer *output;

static fstrm_res connection_open(void *fd) {
	return *(int *)fd < 0 ? fstrm_res_failure : fstrm_res_success;
}

static fstrm_res connection_close(void *fd) {
	return shutdown(*(int *)fd, SHUT_RDWR) ? fstrm_res_failure : fstrm_res_success;
}

static fstrm_res connection_read(void *fd, void *data, size_t size) {
	return recv(*(int *)fd, data, size, MSG_WAITALL) == (ssize_t)size ? fstrm_res_success : fstrm_res_failure;
}

static fstrm_res connection_write(void *fd, const struct iovec *parts, int count) {
	struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
	return sendmsg(*(int *)fd, &message, MSG_NOSIGNAL) < 0 ? fstrm_res_failure : fstrm_res_success;
}

static void *serve(void *argument) {
	int fd = (intptr_t)argument;
	const uint8_t *payload = NULL;
	size_t size = 0;
	struct fstrm_rdwr *connection = fstrm_rdwr_init(&fd);
	fstrm_rdwr_set_open(connection, connection_open);
	fstrm_rdwr_set_close(connection, connection_close);
	fstrm_rdwr_set_read(connection, connection_read);
	fstrm_rdwr_set_write(connection, connection_write);
	struct fstrm_reader_options *options = fstrm_reader_options_init();
	fstrm_reader_options_add_content_type(options, type, strlen(type));
	struct fstrm_reader *reader = fstrm_reader_init(options, &connection);
	/* A frame over the limit is a success, too, but leaves the payload as it was. */
	while (fstrm_reader_read(reader, &payload, &size) == fstrm_res_success && payload != NULL) {
		pthread_mutex_lock(&lock);
		fstrm_writer_write(output, payload, size);
		pthread_mutex_unlock(&lock);
		payload = NULL;
	}
	fstrm_reader_destroy(&reader);
	fstrm_reader_options_destroy(&options);
	close(fd); /* the library closes only what it finds broken itself */
	return NULL;
}

static void *accept_all(void *argument) {
	int fd;
	pthread_t thread;
	while ((fd = accept((intptr_t)argument, NULL, NULL)) >= 0) {
		pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd);
		pthread_detach(thread);
	}
	return NULL;
}

int main(int argc, char **argv) {
	if (argc != 3) {
		fprintf(stderr, "usage: collector SOCKET FILE\n");
		return 2;
	}
	sigset_t ends;
	int number;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &ends, NULL);

	struct fstrm_file_options *file = fstrm_file_options_init();
	fstrm_file_options_set_file_path(file, argv[2]);
	struct fstrm_writer_options *options = fstrm_writer_options_init();
	fstrm_writer_options_add_content_type(options, type, strlen(type));
	output = fstrm_file_writer_init(file, options);
	if (output == NULL || fstrm_writer_open(output) != fstrm_res_success) {
		perror(argv[2]);
		return 1;
	}

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	unlink(argv[1]);
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 10)) {
		perror(argv[1]);
		return 1;
	}
	pthread_t thread;
	pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)listener);

	sigwait(&ends, &number);
	pthread_mutex_lock(&lock);
	fstrm_writer_destroy(&output); /* writes STOP */
	return 0;
}
