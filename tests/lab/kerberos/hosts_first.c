/* Preloaded beside libnss_wrapper: lets it read its hosts before there is a second thread.
 *
 * It reads them when it is first asked, without a lock. Two threads that ask at once free its tables twice ("double free or
 * corruption (!prev)"), end in them, or find no names.
 */
#include <fcntl.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void ask_once(void) {
  struct addrinfo hints, *found;
  int own[3], count = 0, number;
  /* It keeps its file open, which is not to be the standard input of a program that was given none. */
  while ((number = open("/dev/null", O_RDWR)) >= 0 && number < 3) own[count++] = number;
  if (number >= 0) close(number);
  memset(&hints, 0, sizeof hints);
  /* An address: where it is none of its hosts', the C library asks nobody for it. */
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo("127.0.0.1", NULL, &hints, &found) == 0) freeaddrinfo(found);
  while (count > 0) close(own[--count]);
}
