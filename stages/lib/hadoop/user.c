#include "stages/lib/hadoop/user.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

const char *ps_hadoop_user(char user[PS_HADOOP_USER_BYTES])
{
    const char *named = getenv("HADOOP_USER_NAME");
    struct passwd entry, *found = NULL;
    char texts[4096];
    if (named != NULL && named[0] != '\0')
        snprintf(user, PS_HADOOP_USER_BYTES, "%s", named);
    else if (getpwuid_r(geteuid(), &entry, texts, sizeof texts, &found) == 0 && found != NULL)
        snprintf(user, PS_HADOOP_USER_BYTES, "%s", entry.pw_name);
    else
        snprintf(user, PS_HADOOP_USER_BYTES, "%u", (unsigned)geteuid());
    return user;
}
