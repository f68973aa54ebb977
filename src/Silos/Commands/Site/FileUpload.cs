using System.Net.Http.Headers;
using EmrMarket.Silos.Commands.Client;

namespace EmrMarket.Silos.Commands.Site;

/// <summary>Hands files to a site and waits for what becomes of them.</summary>
internal static class FileUpload
{
    /// <summary>Sends the files in one call.</summary>
    /// <param name="market">The server.</param>
    /// <param name="path">Where to.</param>
    /// <param name="files">The files.</param>
    /// <param name="type">The media type of those that are not packed.</param>
    /// <param name="again">What giving the command again does.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <exception cref="CommandException">A file cannot be read, or the site refuses.</exception>
    public static async Task<T> SendAsync<T>(MarketClient market, string path, IReadOnlyList<string> files, string type, string again,
        CancellationToken cancellationToken)
    {
        LongWork operation;
        using (MultipartFormDataContent body = [])
        {
            foreach (string file in files)
            {
                StreamContent content = new(Open(file));
                content.Headers.ContentType = new MediaTypeHeaderValue(
                    file.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? "application/gzip" : type);
                body.Add(content, "files", Path.GetFileName(file));
            }

            operation = await market.PostContentAsync<LongWork>(path, body, cancellationToken);
        }

        return await operation.FinishAsync<T>(market, again, cancellationToken);
    }

    private static FileStream Open(string file)
    {
        try
        {
            return new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16,
                FileOptions.Asynchronous | FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, $"{file} cannot be read: {e.Message}", e);
        }
    }
}
