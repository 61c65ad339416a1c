/** Where the server wants a token: a field for it. It is kept as long as the page is open, and nowhere else. */

export function Token({ onToken }: { readonly onToken: (token: string) => void }) {
  return (
    <form
      class="token"
      onSubmit={(event) => {
        event.preventDefault();
        onToken(String(new FormData(event.currentTarget).get('token') ?? '').trim());
      }}
    >
      <label for="token">This server wants a token</label>
      <div class="field">
        <input id="token" name="token" type="password" autocomplete="off" required />
        <button type="submit" class="primary">
          Go on
        </button>
      </div>
    </form>
  );
}
