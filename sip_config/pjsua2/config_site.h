/* How Wegwijs builds pjproject: many audio calls, no video, one process.
 * Every table is allocated at start, so the sizes cost memory: about 20 MB at 512 calls. */

#define PJSUA_MAX_CALLS        512
#define PJSUA_MAX_PLAYERS      1024 /* two a call: a prompt, and the next one being prepared */
#define PJSUA_MAX_RECORDERS    512
#define PJSUA_MAX_CONF_PORTS   3072 /* six a call: leg, bridged leg, two players, frame port, recorder */
#define PJMEDIA_CONF_MAX_PORTS 3072
#define PJSUA_MAX_ACC          64

/* RTP and RTCP of both legs of a bridged call, and one TLS connection a call. */
#define PJ_IOQUEUE_MAX_HANDLES 4096

/* A hash table's size: a power of two less one. A call has a few transactions at a time; the rest is
 * for a surge of INVITEs that are answered with 503. */
#define PJSIP_MAX_TSX_COUNT    8191
#define PJSIP_MAX_DIALOG_COUNT 4095

#define PJMEDIA_HAS_VIDEO      0
