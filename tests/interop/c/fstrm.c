/*
 * Programs that are made with libfstrm, for the scoreboard of the conformance kit; its collector is collector.c.
 *
 *   fstrm writer SOCKET HEX | fstrm file-reader FILE FILE
 *
 * HEX is a file of payloads, one in hexadecimal on each line. The writer offers another content type, too.
 */
#include <fstrm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char type[] = "protobuf:dnstap.Dnstap", other[] = "other";

static int fail(const char *what) {
	fprintf(stderr, "fstrm: %s failed\n", what);
	return 1;
}

static struct fstrm_file_options *file_options(const char *path) {
	struct fstrm_file_options *options = fstrm_file_options_init();
	fstrm_file_options_set_file_path(options, path);
	return options;
}

static struct fstrm_writer_options *writer_options(void) {
	struct fstrm_writer_options *options = fstrm_writer_options_init();
	fstrm_writer_options_add_content_type(options, type, strlen(type));
	return options;
}

/* Write the payloads of the lines of a file. */
static int write_lines(struct fstrm_writer *writer, const char *path) {
	char *line = NULL;
	size_t room = 0;
	FILE *lines = fopen(path, "r");
	if (lines == NULL || writer == NULL || fstrm_writer_open(writer) != fstrm_res_success)
		return fail("opening");
	while (getline(&line, &room, lines) > 0) {
		size_t size = strcspn(line, "\n") / 2;
		for (size_t i = 0; i < size; i++) {
			unsigned byte;
			sscanf(line + 2 * i, "%2x", &byte);
			line[i] = (char)byte;
		}
		if (fstrm_writer_write(writer, line, size) != fstrm_res_success)
			return fail("writing");
	}
	free(line);
	fclose(lines);
	return fstrm_writer_close(writer) == fstrm_res_success ? 0 : fail("closing");
}

static int copy(struct fstrm_reader *reader, struct fstrm_writer *writer) {
	const uint8_t *payload = NULL;
	size_t size = 0;
	fstrm_res result;
	if (fstrm_reader_open(reader) != fstrm_res_success || fstrm_writer_open(writer) != fstrm_res_success)
		return fail("opening");
	while ((result = fstrm_reader_read(reader, &payload, &size)) == fstrm_res_success)
		if (fstrm_writer_write(writer, payload, size) != fstrm_res_success)
			return fail("writing");
	fstrm_writer_close(writer);
	return result == fstrm_res_stop ? 0 : fail("reading");
}

int main(int argc, char **argv) {
	if (argc == 4 && strcmp(argv[1], "writer") == 0) {
		struct fstrm_unix_writer_options *socket = fstrm_unix_writer_options_init();
		fstrm_unix_writer_options_set_socket_path(socket, argv[2]);
		struct fstrm_writer_options *options = writer_options();
		fstrm_writer_options_add_content_type(options, other, strlen(other));
		return write_lines(fstrm_unix_writer_init(socket, options), argv[3]);
	}
	if (argc == 4 && strcmp(argv[1], "file-reader") == 0) {
		struct fstrm_reader_options *options = fstrm_reader_options_init();
		fstrm_reader_options_add_content_type(options, type, strlen(type));
		return copy(fstrm_file_reader_init(file_options(argv[2]), options),
			    fstrm_file_writer_init(file_options(argv[3]), writer_options()));
	}
	fprintf(stderr, "usage: fstrm ROLE FROM TO\n");
	return 2;
}
