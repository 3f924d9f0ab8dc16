// The home page: whether the server runs, starts or stops is the hub's word, asked for again while it changes.
require(["jhapi"], (JHAPI) => {
  const AGAIN_AFTER = 1000;
  const { base_url: base, user } = window.jhdata;
  const api = new JHAPI(base);
  const parts = document.querySelectorAll("[data-when]");
  let waiting;

  const show = (state) => parts.forEach((part) => (part.hidden = part.dataset.when !== state));
  const stateOf = (server) => (!server ? "stopped" : ["spawn", "stop"].includes(server.pending) ? server.pending : "ready");

  function look() {
    clearTimeout(waiting);
    api.get_user(user, {
      success: ({ servers }) => {
        const state = stateOf(servers[""]);
        show(state);
        if (["spawn", "stop"].includes(state)) waiting = setTimeout(look, AGAIN_AFTER);
      },
      // Signed out meanwhile: the hub shows the sign-in. No answer at all: it may restart, so look again.
      error: ({ status }) => (status === 401 || status === 403 ? location.reload() : (waiting = setTimeout(look, AGAIN_AFTER))),
    });
  }

  document.getElementById("stop").addEventListener("click", () => {
    show("stop");
    api.stop_server(user, { success: look });
    waiting = setTimeout(look, AGAIN_AFTER);
  });
  addEventListener("pageshow", look); // a page from the browser's history may be of another time
  if (document.readyState === "complete") look();
});
