using System.Security.Cryptography;
using System.Text.Json;
using EmrMarket.Contracts.Ethereum.Signing;

namespace EmrMarket.Silos.Storage.Backup;

/// <summary>
/// Writes a backup: a folder under another name until it is whole and on the disk, then under its own. What only its owner may read stays
/// so, and an attempt that fails leaves nothing.
/// </summary>
internal sealed class BackupWriter : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _folder;
    private readonly string _unfinished;
    private readonly List<BackupFile> _files = [];

    /// <summary>Begins.</summary>
    /// <param name="folder">The folder, which must not exist.</param>
    /// <exception cref="BackupException">It exists, or cannot be made.</exception>
    public BackupWriter(string folder)
    {
        (_folder, _unfinished) = (Path.GetFullPath(folder), Path.GetFullPath(folder) + ".part");
        if (Directory.Exists(_folder) || File.Exists(_folder))
        {
            throw new BackupException($"{_folder} exists, and a backup is never written over another: name a folder that does not exist");
        }

        Written(() =>
        {
            if (Directory.Exists(_unfinished))
            {
                Directory.Delete(_unfinished, recursive: true);
            }

            MakeFolder(_unfinished);
        });
    }

    /// <summary>The files so far.</summary>
    public IReadOnlyList<BackupFile> Files => _files;

    /// <summary>Writes a file, streamed and hashed.</summary>
    /// <exception cref="BackupException">The disk is full or refuses.</exception>
    public async Task AddAsync(string name, Func<Stream, Task> write)
    {
        string path = Path.Combine(_unfinished, name);
        await WrittenAsync(async () =>
        {
            MakeFolder(Path.GetDirectoryName(path)!);
            using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using FileStream file = Open(path);
            await write(new HashingStream(file, hash));
            file.Flush(flushToDisk: true);
            _files.Add(new BackupFile(name, file.Length, Convert.ToHexStringLower(hash.GetHashAndReset())));
        });
    }

    /// <summary>Writes manifest and signatures, and gives the folder its name.</summary>
    public async Task CompleteAsync(BackupManifest manifest, IEnumerable<EthereumAccount> accounts)
    {
        byte[] bytes = JsonSerializer.SerializeToUtf8Bytes(manifest, BackupReader.Json);
        BackupSignatures signatures = new(Convert.ToHexStringLower(SHA256.HashData(bytes)),
            [.. accounts.DistinctBy(account => account.Address).Select(account => new BackupSignature(
                account.Address.ToString(), Convert.ToHexStringLower(account.Sign(BackupReader.Digest(bytes)).ToBytes())))]);
        await WrittenAsync(async () =>
        {
            foreach ((string name, byte[] content) in new[]
            {
                (BackupReader.ManifestName, bytes),
                (BackupReader.SignaturesName, JsonSerializer.SerializeToUtf8Bytes(signatures, BackupReader.Json)),
            })
            {
                await using FileStream file = Open(Path.Combine(_unfinished, name));
                await file.WriteAsync(content);
                file.Flush(flushToDisk: true);
            }

            Directory.Move(_unfinished, _folder);
        });
    }

    /// <summary>Takes away what was not completed.</summary>
    public void Dispose()
    {
        if (Directory.Exists(_unfinished))
        {
            Directory.Delete(_unfinished, recursive: true);
        }
    }

    private static void MakeFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, OwnerOnly | UnixFileMode.UserExecute);
        }
    }

    private static FileStream Open(string path)
    {
        FileStreamOptions options = new() { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        return new FileStream(path, options);
    }

    private void Written(Action write) => WrittenAsync(() =>
    {
        write();
        return Task.CompletedTask;
    }).GetAwaiter().GetResult();

    private async Task WrittenAsync(Func<Task> write)
    {
        try
        {
            await write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BackupException(
                $"the backup cannot be written to {_unfinished}: {e.Message} Free or change the disk that holds it; what was written of it "
                    + "is taken away again", e);
        }
    }

    /// <summary>Hashes what passes.</summary>
    private sealed class HashingStream(Stream inner, IncrementalHash hash) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => throw new NotSupportedException();
        }

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            inner.Write(buffer);
            hash.AppendData(buffer);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            hash.AppendData(buffer.Span);
        }
    }
}
